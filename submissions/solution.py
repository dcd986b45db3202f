# A right solution of A2 as a student might write it. In this format `# %%` opens a cell, and its id says
# which cell of the handout it takes the place of; a magic stands behind a `#`. generate.py makes all
# sample notebooks from this file, the handout and variants.toml.
# It imitates a notebook, so the checks of our own code leave it alone (pyproject.toml excludes it).
# mypy: ignore-errors

# %% [markdown] id="author"
# A. Student

# %% id="imports"
import numpy as np
import matplotlib.pyplot as plt
import pandas as pd

# %% id="optimizers"
class Optimizers:

    def __init__(self, all_weights):
        self.all_weights = all_weights

        # What Adam remembers from one epoch, and one call, to the next
        self.mt = np.zeros_like(all_weights)
        self.vt = np.zeros_like(all_weights)
        self.beta1 = 0.9
        self.beta2 = 0.999
        self.beta1t = 1
        self.beta2t = 1

    def sgd(self, error_f, gradient_f, fargs=[], n_epochs=100, learning_rate=0.001, error_convert_f=None):
        report_every = max(1, n_epochs // 10)
        error_trace = []

        for epoch in range(n_epochs):
            error = error_f(*fargs)
            grad = gradient_f(*fargs)
            self.all_weights -= learning_rate * grad

            if error_convert_f is not None:
                error = error_convert_f(error)
            error_trace.append(error)

            if (epoch + 1) % report_every == 0:
                print(f'sgd: epoch {epoch + 1} of {n_epochs}, error {error:.5f}')

        return error_trace

    def adam(self, error_f, gradient_f, fargs=[], n_epochs=100, learning_rate=0.001, error_convert_f=None):
        report_every = max(1, n_epochs // 10)
        epsilon = 1e-8
        error_trace = []

        for epoch in range(n_epochs):
            error = error_f(*fargs)
            grad = gradient_f(*fargs)

            self.beta1t *= self.beta1
            self.beta2t *= self.beta2
            self.mt = self.beta1 * self.mt + (1 - self.beta1) * grad
            self.vt = self.beta2 * self.vt + (1 - self.beta2) * grad ** 2
            m_hat = self.mt / (1 - self.beta1t)
            v_hat = self.vt / (1 - self.beta2t)
            self.all_weights -= learning_rate * m_hat / (np.sqrt(v_hat) + epsilon)

            if error_convert_f is not None:
                error = error_convert_f(error)
            error_trace.append(error)

            if (epoch + 1) % report_every == 0:
                print(f'adam: epoch {epoch + 1} of {n_epochs}, error {error:.5f}')

        return error_trace

# %% id="network"
class NeuralNetwork:

    def __init__(self, n_inputs, n_hiddens_per_layer, n_outputs, activation_function='tanh'):
        self.n_inputs = n_inputs
        self.n_outputs = n_outputs
        self.activation_function = activation_function

        if n_hiddens_per_layer in (0, [], [0]):
            self.n_hiddens_per_layer = []
        else:
            self.n_hiddens_per_layer = list(n_hiddens_per_layer)

        sizes = [n_inputs] + self.n_hiddens_per_layer + [n_outputs]
        shapes = [(n_in + 1, n_out) for n_in, n_out in zip(sizes[:-1], sizes[1:])]
        self.all_weights, self.Ws = self.make_weights(shapes)
        self.all_gradients, self.dE_dWs = self.make_weights(shapes)

        self.Xmeans = None
        self.error_trace = []

    def __repr__(self):
        return (f'NeuralNetwork({self.n_inputs}, {self.n_hiddens_per_layer}, {self.n_outputs}, '
                f'activation_function={self.activation_function!r})')

    def make_weights(self, shapes):
        '''One flat vector of small random weights, and a matrix for every shape that is a view into it.'''
        all_weights = np.hstack([
            np.random.uniform(size=shape).flatten() / np.sqrt(shape[0]) for shape in shapes
        ])
        views = []
        first = 0
        for shape in shapes:
            last = first + shape[0] * shape[1]
            views.append(all_weights[first:last].reshape(shape))
            first = last
        return all_weights, views

    def train(self, X, T, n_epochs, learning_rate, method='sgd'):
        if self.Xmeans is None:
            self.Xmeans = X.mean(axis=0)
            self.Xstds = X.std(axis=0)
            self.Xstds[self.Xstds == 0] = 1
            self.Tmeans = T.mean(axis=0)
            self.Tstds = T.std(axis=0)
            self.Tstds[self.Tstds == 0] = 1

        Xst = (X - self.Xmeans) / self.Xstds
        Tst = (T - self.Tmeans) / self.Tstds

        def in_target_units(mse):
            return (np.sqrt(mse) * self.Tstds)[0]

        optimizers = Optimizers(self.all_weights)
        optimize = {'sgd': optimizers.sgd, 'adam': optimizers.adam}[method]
        self.error_trace = optimize(self.error_f, self.gradient_f, fargs=[Xst, Tst], n_epochs=n_epochs,
                                    learning_rate=learning_rate, error_convert_f=in_target_units)
        return self

    def forward_pass(self, X):
        self.Ys = [X]
        for W in self.Ws[:-1]:
            S = self.Ys[-1] @ W[1:] + W[0]
            if self.activation_function == 'relu':
                self.Ys.append(self.relu(S))
            else:
                self.Ys.append(np.tanh(S))
        W = self.Ws[-1]
        self.Ys.append(self.Ys[-1] @ W[1:] + W[0])
        return self.Ys

    def error_f(self, X, T):
        return np.mean((T - self.forward_pass(X)[-1]) ** 2)

    def gradient_f(self, X, T):
        n_samples, n_outputs = T.shape
        delta = -(T - self.Ys[-1]) / (n_samples * n_outputs)

        for layer in reversed(range(len(self.Ws))):
            Y_in = self.Ys[layer]
            self.dE_dWs[layer][0] = delta.sum(axis=0)
            self.dE_dWs[layer][1:] = Y_in.T @ delta
            if layer > 0:
                delta = delta @ self.Ws[layer][1:].T
                if self.activation_function == 'relu':
                    delta = delta * self.grad_relu(Y_in)
                else:
                    delta = delta * (1 - Y_in ** 2)

        return self.all_gradients

    def relu(self, s):
        return np.maximum(s, 0)

    def grad_relu(self, s):
        return np.where(s > 0, 1.0, 0.0)

    def use(self, X):
        Xst = (X - self.Xmeans) / self.Xstds
        Y = self.forward_pass(Xst)[-1]
        return Y * self.Tstds + self.Tmeans

# %% id="try-network"
Xsine = np.arange(100).reshape(-1, 1)
Tsine = np.sin(0.04 * Xsine)

for method in ['sgd', 'adam']:
    np.random.seed(1)
    nnet = NeuralNetwork(1, [10, 10], 1)
    nnet.train(Xsine, Tsine, 1000, 0.01, method=method)
    print(method, 'ends with error', nnet.error_trace[-1])

plt.plot(Xsine, Tsine, label='target')
plt.plot(Xsine, nnet.use(Xsine), label='adam')
plt.legend();

# %% id="partition"
def partition(X, T, n_folds, random_shuffle=True):
    n_samples = X.shape[0]
    rows = np.arange(n_samples)
    if random_shuffle:
        np.random.shuffle(rows)

    n_per_fold = n_samples // n_folds
    folds = []
    for fold in range(n_folds):
        first = fold * n_per_fold
        last = first + n_per_fold
        if fold == n_folds - 1:
            last = n_samples  # the last fold takes the remainder
        folds.append(rows[first:last])

    validate, test = folds[0], folds[1]
    train = np.hstack(folds[2:])
    return X[train], T[train], X[validate], T[validate], X[test], T[test]

# %% id="run-experiment"
def rmse(Y, T):
    return np.sqrt(np.mean((T - Y) ** 2))


def run_experiment(X, T, n_folds, n_epochs_choices, n_hidden_units_per_layer_choices, activation_function_choices):
    learning_rate = 0.01
    Xtrain, Ttrain, Xvalidate, Tvalidate, Xtest, Ttest = partition(X, T, n_folds)

    rows = []
    for n_epochs in n_epochs_choices:
        for nh in n_hidden_units_per_layer_choices:
            for activation in activation_function_choices:
                nnet = NeuralNetwork(X.shape[1], nh, T.shape[1], activation)
                nnet.train(Xtrain, Ttrain, n_epochs, learning_rate, method='adam')
                rows.append([n_epochs, nh, learning_rate, activation,
                             rmse(nnet.use(Xtrain), Ttrain),
                             rmse(nnet.use(Xvalidate), Tvalidate),
                             rmse(nnet.use(Xtest), Ttest)])

    return pd.DataFrame(rows, columns=['epochs', 'nh', 'lr', 'act func', 'RMSE Train', 'RMSE Val', 'RMSE Test'])

# %% id="data"
names = ['mpg', 'cylinders', 'displacement', 'horsepower', 'weight', 'acceleration', 'year', 'origin', 'name']
cars = pd.read_csv('auto-mpg.data', sep=r'\s+', names=names, na_values='?')
print('samples in the file:', len(cars))
cars = cars.dropna()
print('without missing values:', len(cars))

T = cars[['mpg']].values
X = cars[names[1:8]].values
X.shape, T.shape

# %% id="experiments"
np.random.seed(10)
results = run_experiment(X, T, 5, [50, 200, 500], [[0], [5], [20], [10, 10]], ['tanh', 'relu'])
results

# %% id="best"
best = results.loc[results['RMSE Val'].idxmin()]
print(best)
print(f'Test RMSE of the best setting: {best["RMSE Test"]:.2f} mpg, where mpg goes from {T.min()} to {T.max()}')

# %% id="plots"
def plot_rmses(results, activation):
    some = results[results['act func'] == activation]
    places = np.arange(len(some))
    plt.figure(figsize=(9, 4))
    for column in ['RMSE Train', 'RMSE Val', 'RMSE Test']:
        plt.plot(places, some[column], 'o-', label=column)
    plt.xticks(places, [f'{nh} {n_epochs}' for n_epochs, nh in zip(some['epochs'], some['nh'])], rotation=60)
    plt.xlabel('hidden layers and number of epochs')
    plt.ylabel('RMSE (mpg)')
    plt.title(activation)
    plt.legend()
    plt.show()

plot_rmses(results, 'tanh')
plot_rmses(results, 'relu')

# %% [markdown] id="discussion"
# The best network has one hidden layer of 20 tanh units and was trained for 500 epochs. Its test RMSE is about 2.5 mpg. The cars go from 9 to 46.6 miles on a gallon, so I would call that a useful prediction, if not a very exact one.
#
# 1. **More epochs help everywhere.** Every RMSE goes down from 50 to 200 epochs, and most go down again from 200 to 500, though by much less. With 50 epochs most networks have not come far yet.
# 2. **The linear model is the worst of the fully trained ones.** `[0]` ends near 3.3 mpg on the training data and near 3.7 on the validation data, and it gains little after 200 epochs. With no hidden units it does not matter which activation function I ask for, so the small differences between the two must come from the random weights at the start.
# 3. **Two hidden layers begin to overfit.** After 500 epochs `[10, 10]` with tanh has the lowest training RMSE of all, 2.2, but `[20]` is better on the validation data. The distance between the training and the other two curves is largest there.
# 4. **tanh is a little better than relu here,** most of all with few epochs. The relu networks start slowly, maybe because some units are off for nearly all cars.
# 5. The test RMSE is often a bit lower than the validation RMSE. With 78 cars in each of these folds, I think that is luck.

# %% id="self-check"
# %run -i A2grader.py

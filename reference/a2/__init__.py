"""Reference solution of assignment 2: multilayer neural networks for nonlinear regression.

Read the modules in this order: activations, optimizers, network, data, experiment.
Nothing here knows that a grader exists.
"""

from .activations import grad_relu, grad_swish, relu, swish
from .data import partition
from .experiment import run_experiment
from .network import NeuralNetwork
from .optimizers import Optimizers

__all__ = [
    "NeuralNetwork",
    "Optimizers",
    "grad_relu",
    "grad_swish",
    "partition",
    "relu",
    "run_experiment",
    "swish",
]

"""All attacks, by class: what is wanted -> how -> the notebook."""

from __future__ import annotations

from collections.abc import Mapping

from tests.adversarial import exhausting, forging, reaching, reading, trapping
from tests.adversarial.attack import Attack, Mode

CORPUS: Mapping[str, Mapping[str, Attack]] = {
    "forged messages": forging.FORGED_MESSAGES,
    "answers from the background": forging.BACKGROUND,
    "replaced parts": forging.REPLACED,
    "lying answers": forging.LYING_ANSWERS,
    "reading secrets": reading.SECRETS,
    "reading other processes": reading.OTHERS,
    "writing outside": reading.WRITING,
    "network": reaching.NETWORK,
    "processes": reaching.PROCESSES,
    "rights": reaching.RIGHTS,
    "leaving early": reaching.LEAVING,
    "memory": exhausting.MEMORY,
    "storage": exhausting.STORAGE,
    "output": exhausting.OUTPUT,
    "endless work": exhausting.ENDLESS,
    "large answers": exhausting.LARGE_ANSWERS,
    "stored traps": trapping.TRAPS,
    "probes": trapping.PROBES,
}
# These have to do with the layers, and not with what reads and judges what a kernel sends: in the
# last of the modes they alone are run.
OF_LAYERS = (
    *("reading secrets", "reading other processes", "writing outside", "network", "processes"),
    *("rights", "leaving early", "memory", "storage"),
)
ALL: Mapping[str, Attack] = {
    f"{kind}: {name}": attack
    for kind, attacks in CORPUS.items()
    for name, attack in attacks.items()
}


def of_mode(mode: Mode) -> list[str]:
    """Return the names of the attacks that are run in a mode."""
    return [
        name for name in ALL if mode is not Mode.ROOT_BARE or name.partition(":")[0] in OF_LAYERS
    ]

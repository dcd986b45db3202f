"""The kernel provisioner `grader-warm`, used as jupyter_client uses any: by its entry point."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from jupyter_client.provisioning.factory import KernelProvisionerFactory

from grader.errors import KernelError
from grader.kernels.forked.layers import ALWAYS
from grader.kernels.provisioner import PROVISIONER, WarmManager, WarmProvisioner
from grader.kernels.server import ForkServer

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(sys.platform != "linux", reason="needs Linux"),
]


def test_jupyter_client_finds_it_and_starts_a_kernel_by_it(
    server: ForkServer, tmp_path: Path
) -> None:
    """`start_kernel`, not the shorter way that the grader takes itself."""
    (tmp_path / "given").write_text("staged")

    async def run() -> tuple[object, ...]:
        manager = WarmManager(server=server)
        await manager.start_kernel(cwd=str(tmp_path))
        provisioner = manager.provisioner
        assert isinstance(provisioner, WarmProvisioner)
        client = manager.client()
        client.start_channels(stdin=False, hb=False, control=False)
        try:
            await provisioner.started()
            said: list[str] = []
            reply = await client.execute_interactive(
                "print(open('given').read())",
                output_hook=lambda message: said.append(str(message["content"].get("text", ""))),
                allow_stdin=False,
                timeout=600,
            )
            alive = await manager.is_alive()
        finally:
            client.stop_channels()
            await manager.shutdown_kernel(now=True)
        status = reply["content"]["status"]
        return status, "".join(said), alive, await manager.is_alive(), provisioner.layers

    status, said, alive, later, layers = asyncio.run(run())
    assert ("ok", "staged\n", True, False) == (status, said, alive, later)
    assert {*ALWAYS} <= {*layers}  # type: ignore[misc]  # a tuple of names


def test_without_a_manager_that_has_a_fork_server_it_says_what_it_needs() -> None:
    factory = KernelProvisionerFactory.instance()
    assert factory.is_provisioner_available(WarmManager(server=ForkServer()).kernel_spec)
    provisioner = WarmProvisioner(parent=None, kernel_id="", kernel_spec=None)
    with pytest.raises(KernelError, match=PROVISIONER):
        asyncio.run(provisioner.pre_launch())

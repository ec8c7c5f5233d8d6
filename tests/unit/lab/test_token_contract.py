"""The committed bytecode and interface of the token are what its source compiles to."""

import json

import pytest
import vyper

from dalp_dr_lab.miniature.contracts import FOLDER, constructor_arguments
from dalp_dr_lab.miniature.services import ethereum


def test_bytecode_and_interface_equal_a_new_compilation() -> None:
    output = vyper.compile_code((FOLDER / "token.vy").read_text(), output_formats=["abi", "bytecode"])
    assert output["bytecode"] == (FOLDER / "token.bin").read_text().strip()
    assert output["abi"] == json.loads((FOLDER / "token.abi.json").read_text())


@pytest.mark.parametrize(
    "signature",
    [
        "mint(address,uint256)",
        "forcedTransfer(address,address,uint256)",
        "transfer(address,uint256)",
        "balanceOf(address)",
        "totalSupply()",
        "symbol()",
        "decimals()",
    ],
)
def test_bytecode_has_the_functions_that_the_services_call(signature: str) -> None:
    abi = json.loads((FOLDER / "token.abi.json").read_text())
    functions = {
        f"{item['name']}({','.join(argument['type'] for argument in item['inputs'])})" for item in abi if item["type"] == "function"
    }
    assert signature in functions
    assert ethereum.selector(signature).startswith("0x")


def test_constructor_arguments() -> None:
    encoded = constructor_arguments("Bond", "B", 18)
    assert len(encoded) == 32 * 7
    assert int.from_bytes(encoded[:32], "big") == 96
    assert int.from_bytes(encoded[32:64], "big") == 160
    assert encoded[64:96] == (18).to_bytes(32, "big")
    assert encoded[128:132] == b"Bond"

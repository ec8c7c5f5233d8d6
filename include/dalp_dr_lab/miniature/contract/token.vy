# pragma version 0.4.3
"""
@title A small registered token: ERC-20 reads and transfers, supply and forced transfers by one operator.
@notice The operator (the platform's signer) mints, and moves units between holders on their instruction.
"""

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    value: uint256

event Approval:
    owner: indexed(address)
    spender: indexed(address)
    value: uint256

name: public(String[64])
symbol: public(String[16])
decimals: public(uint8)
totalSupply: public(uint256)
operator: public(address)
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])


@deploy
def __init__(_name: String[64], _symbol: String[16], _decimals: uint8):
    self.name = _name
    self.symbol = _symbol
    self.decimals = _decimals
    self.operator = msg.sender


@internal
def _move(sender: address, receiver: address, units: uint256):
    assert receiver != empty(address), "receiver is the zero address"
    self.balanceOf[sender] -= units
    self.balanceOf[receiver] += units
    log Transfer(sender=sender, receiver=receiver, value=units)


@external
def transfer(receiver: address, units: uint256) -> bool:
    self._move(msg.sender, receiver, units)
    return True


@external
def approve(spender: address, units: uint256) -> bool:
    self.allowance[msg.sender][spender] = units
    log Approval(owner=msg.sender, spender=spender, value=units)
    return True


@external
def transferFrom(sender: address, receiver: address, units: uint256) -> bool:
    self.allowance[sender][msg.sender] -= units
    self._move(sender, receiver, units)
    return True


@external
def mint(receiver: address, units: uint256):
    assert msg.sender == self.operator, "only the operator mints"
    assert receiver != empty(address), "receiver is the zero address"
    self.totalSupply += units
    self.balanceOf[receiver] += units
    log Transfer(sender=empty(address), receiver=receiver, value=units)


@external
def forcedTransfer(sender: address, receiver: address, units: uint256):
    assert msg.sender == self.operator, "only the operator moves other holders' units"
    self._move(sender, receiver, units)

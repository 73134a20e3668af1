"""How LLVM IR is spelled: types, constants, functions."""

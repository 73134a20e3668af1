"""Loop IR to LLVM IR, and from there into this process, to object code, libraries and executables."""

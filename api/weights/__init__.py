"""The weights of networks: the first ones, drawn by compiled code if they are many, and halved ones."""

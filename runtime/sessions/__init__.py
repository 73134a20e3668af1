"""Parameters, state and the calls that use them: sessions, and streams that share the weights of one."""

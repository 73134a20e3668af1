"""How products are computed: plans, what they cost, and those that measurements have chosen."""

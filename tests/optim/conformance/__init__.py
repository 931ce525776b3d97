"""What PyTorch tests its own optimizers for, put to ours and to torch's Adam alike.

Inputs, error inputs and schedulers are those of ``torch.testing._internal.common_optimizers``: Adam's entry in its
``optim_db`` as it is, and an `OptimizerInfo` of the same form for each of ours, made of its entry in the catalogue. The
tests that PyTorch runs over them are not part of its wheel, so each behaviour is a function here; it raises what went
wrong. ``python -m tests.optim.conformance`` writes the table of the API page.
"""

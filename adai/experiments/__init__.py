"""The experiments, one module each; `registry` names them all."""

"""Many runs: side by side on this machine, on a Ray cluster, or one after another on a borrowed GPU."""

"""Many runs: side by side on this machine, on a cluster, or in one sitting on a borrowed GPU."""

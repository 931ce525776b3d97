"""What the theory chapters share: symbols, operators, closed forms and simulators. Nothing here needs torch."""

"""Picture health: tells black, frozen, blurred, covered and moved pictures from good ones."""

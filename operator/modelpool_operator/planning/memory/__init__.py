"""What models need of a card, in bytes: where weights come from, how large they are, and sums as people read them."""

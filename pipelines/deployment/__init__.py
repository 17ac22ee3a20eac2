"""How a bundle comes to serve: orders, releases, and the targets that they are deployed to."""

"""Reading pages: from markup and LaTeX to models with shapes, and to claims."""

"""What cement does to a fractured sacrum: finite-element comparison before and after sacroplasty."""

__version__ = "0.1.0"

"""The version of derive, as installed."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("derive")
except PackageNotFoundError:  # run from a source tree that was never installed
    VERSION = "0+unknown"

"""torchvision's transforms, compiled to a plan that the core runs: crop, resize, view, flip, one last write.

See :mod:`fastinet.loading.transforms`.
"""

from fastinet.loading.transforms import *  # noqa: F403
from fastinet.loading.transforms import __all__ as __all__

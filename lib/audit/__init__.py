"""Receptive fields, overlap degrees and rank bounds of any ``torch.nn.Module``.

``audit(model, size)`` runs the module once on shapes alone, follows every path of its true graph,
and returns an `Audit`: a table of layers with exact receptive fields, the joins where branches
meet, and the bounds of the overlap theorem for the ConvAC with the same shape. An operation that
it does not know is refused by name.

- seal.py makes the private copy that runs, trace.py records its operations (memory.py,
  failures.py);
- fields.py computes with boxes of pixels, and rules/ says what each operation does to them;
- core.py puts an audit together, report.py describes it, places.py finds tensors and units by
  name, effective.py measures gradients;
- graph.py, collapse.py and chains.py find the chain to which the theorems apply;
- models.py holds famous networks to try it on.

Examples
--------
>>> from torch import nn
>>> found = audit(nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.MaxPool2d(2)), size=32)
>>> [(layer.name, layer.geometry[0].size, int(layer.geometry[0].stride)) for layer in found.layers]
[('0', 3, 1), ('1', 4, 2)]
"""

from .chains import LayerBound, Surrogate
from .core import Audit, audit
from .effective import EffectiveField, effective_field
from .geometry import Box, Geometry
from .report import JoinRecord, LayerRecord
from .trace import UnsupportedOperation

__all__ = ["Audit", "Box", "EffectiveField", "Geometry", "JoinRecord", "LayerBound", "LayerRecord",
           "Surrogate", "UnsupportedOperation", "audit", "effective_field"]

"""Receptive fields, overlap degrees and rank bounds of any ``torch.nn.Module``.

``audit(model, size)`` runs the module once on shapes alone, follows every path of its true graph,
and returns an `Audit`: a table of layers with exact receptive fields, the joins where branches
meet, and the bounds of the overlap theorem for the ConvAC with the same shape. An operation that
it does not know is refused by name.

- lib/audit/tracing.py records the operations of one run (calls.py);
- lib/audit/fields.py computes with boxes of pixels, and rules.py, windows.py, movement.py and
  mixing.py say what each operation does to them;
- lib/audit/records.py and table.py describe the result;
- lib/audit/graph.py and surrogate.py find the chain to which the theorems apply;
- lib/audit/models.py holds famous networks to try it on.

Examples
--------
>>> from torch import nn
>>> found = audit(nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.MaxPool2d(2)), size=32)
>>> [(layer.name, layer.geometry[0].size, int(layer.geometry[0].stride)) for layer in found.layers]
[('0', 3, 1), ('1', 4, 2)]
"""

from .calls import UnsupportedOperation
from .core import Audit, audit
from .records import Geometry, JoinRecord, LayerRecord
from .surrogate import LayerBound, Surrogate

__all__ = ["Audit", "Geometry", "JoinRecord", "LayerBound", "LayerRecord", "Surrogate",
           "UnsupportedOperation", "audit"]

window.explorerData = [
 {
  "name": "No overlaps: 1×1 convolutions, 2×2 pooling",
  "size": 16,
  "layers": [
   {
    "window": 1,
    "stride": 1,
    "cells": 16,
    "field": 1,
    "step": 1,
    "minimal": null
   },
   {
    "window": 2,
    "stride": 2,
    "cells": 8,
    "field": 2,
    "step": 2,
    "minimal": null
   },
   {
    "window": 1,
    "stride": 1,
    "cells": 8,
    "field": 2,
    "step": 2,
    "minimal": null
   },
   {
    "window": 2,
    "stride": 2,
    "cells": 4,
    "field": 4,
    "step": 4,
    "minimal": null
   },
   {
    "window": 1,
    "stride": 1,
    "cells": 4,
    "field": 4,
    "step": 4,
    "minimal": null
   },
   {
    "window": 2,
    "stride": 2,
    "cells": 2,
    "field": 8,
    "step": 8,
    "minimal": null
   },
   {
    "window": 1,
    "stride": 1,
    "cells": 2,
    "field": 8,
    "step": 8,
    "minimal": null
   },
   {
    "window": 2,
    "stride": 2,
    "cells": 1,
    "field": 16,
    "step": 16,
    "minimal": 16
   }
  ],
  "bound": "1",
  "boundLayer": null
 },
 {
  "name": "B = 2: 2×2 convolutions, 2×2 pooling",
  "size": 16,
  "layers": [
   {
    "window": 2,
    "stride": 1,
    "cells": 16,
    "field": 2,
    "step": 1,
    "minimal": null
   },
   {
    "window": 2,
    "stride": 2,
    "cells": 8,
    "field": 3,
    "step": 2,
    "minimal": null
   },
   {
    "window": 2,
    "stride": 1,
    "cells": 8,
    "field": 5,
    "step": 2,
    "minimal": null
   },
   {
    "window": 2,
    "stride": 2,
    "cells": 4,
    "field": 7,
    "step": 4,
    "minimal": null
   },
   {
    "window": 2,
    "stride": 1,
    "cells": 4,
    "field": 11,
    "step": 4,
    "minimal": 9
   },
   {
    "window": 2,
    "stride": 2,
    "cells": 2,
    "field": 15,
    "step": 8,
    "minimal": 9
   },
   {
    "window": 2,
    "stride": 1,
    "cells": 2,
    "field": 23,
    "step": 8,
    "minimal": 9
   },
   {
    "window": 2,
    "stride": 2,
    "cells": 1,
    "field": 31,
    "step": 16,
    "minimal": 16
   }
  ],
  "bound": "4^16",
  "boundLayer": 1
 },
 {
  "name": "B = 3: 3×3 convolutions, 2×2 pooling",
  "size": 16,
  "layers": [
   {
    "window": 3,
    "stride": 1,
    "cells": 16,
    "field": 3,
    "step": 1,
    "minimal": null
   },
   {
    "window": 2,
    "stride": 2,
    "cells": 8,
    "field": 4,
    "step": 2,
    "minimal": null
   },
   {
    "window": 3,
    "stride": 1,
    "cells": 8,
    "field": 8,
    "step": 2,
    "minimal": null
   },
   {
    "window": 2,
    "stride": 2,
    "cells": 4,
    "field": 10,
    "step": 4,
    "minimal": 9
   },
   {
    "window": 3,
    "stride": 1,
    "cells": 4,
    "field": 18,
    "step": 4,
    "minimal": 9
   },
   {
    "window": 2,
    "stride": 2,
    "cells": 2,
    "field": 22,
    "step": 8,
    "minimal": 9
   },
   {
    "window": 3,
    "stride": 1,
    "cells": 2,
    "field": 38,
    "step": 8,
    "minimal": 9
   },
   {
    "window": 2,
    "stride": 2,
    "cells": 1,
    "field": 46,
    "step": 16,
    "minimal": 16
   }
  ],
  "bound": "4^32",
  "boundLayer": 1
 },
 {
  "name": "B = 5: 5×5 convolutions, 2×2 pooling",
  "size": 16,
  "layers": [
   {
    "window": 5,
    "stride": 1,
    "cells": 16,
    "field": 5,
    "step": 1,
    "minimal": null
   },
   {
    "window": 2,
    "stride": 2,
    "cells": 8,
    "field": 6,
    "step": 2,
    "minimal": null
   },
   {
    "window": 5,
    "stride": 1,
    "cells": 8,
    "field": 14,
    "step": 2,
    "minimal": 9
   },
   {
    "window": 2,
    "stride": 2,
    "cells": 4,
    "field": 16,
    "step": 4,
    "minimal": 9
   },
   {
    "window": 5,
    "stride": 1,
    "cells": 4,
    "field": 32,
    "step": 4,
    "minimal": 9
   },
   {
    "window": 2,
    "stride": 2,
    "cells": 2,
    "field": 36,
    "step": 8,
    "minimal": 9
   },
   {
    "window": 5,
    "stride": 1,
    "cells": 2,
    "field": 68,
    "step": 8,
    "minimal": 9
   },
   {
    "window": 2,
    "stride": 2,
    "cells": 1,
    "field": 76,
    "step": 16,
    "minimal": 16
   }
  ],
  "bound": "4^64",
  "boundLayer": 1
 },
 {
  "name": "Two 3×3 convolutions per pooling",
  "size": 16,
  "layers": [
   {
    "window": 3,
    "stride": 1,
    "cells": 16,
    "field": 3,
    "step": 1,
    "minimal": null
   },
   {
    "window": 3,
    "stride": 1,
    "cells": 16,
    "field": 5,
    "step": 1,
    "minimal": null
   },
   {
    "window": 2,
    "stride": 2,
    "cells": 8,
    "field": 6,
    "step": 2,
    "minimal": null
   },
   {
    "window": 3,
    "stride": 1,
    "cells": 8,
    "field": 10,
    "step": 2,
    "minimal": 9
   },
   {
    "window": 3,
    "stride": 1,
    "cells": 8,
    "field": 14,
    "step": 2,
    "minimal": 9
   },
   {
    "window": 2,
    "stride": 2,
    "cells": 4,
    "field": 16,
    "step": 4,
    "minimal": 9
   },
   {
    "window": 3,
    "stride": 1,
    "cells": 4,
    "field": 24,
    "step": 4,
    "minimal": 9
   },
   {
    "window": 3,
    "stride": 1,
    "cells": 4,
    "field": 32,
    "step": 4,
    "minimal": 9
   },
   {
    "window": 2,
    "stride": 2,
    "cells": 2,
    "field": 36,
    "step": 8,
    "minimal": 9
   },
   {
    "window": 2,
    "stride": 2,
    "cells": 1,
    "field": 44,
    "step": 16,
    "minimal": 16
   }
  ],
  "bound": "4^64",
  "boundLayer": 2
 },
 {
  "name": "Strided 3×3 convolutions, no pooling",
  "size": 16,
  "layers": [
   {
    "window": 3,
    "stride": 2,
    "cells": 8,
    "field": 3,
    "step": 2,
    "minimal": null
   },
   {
    "window": 3,
    "stride": 2,
    "cells": 4,
    "field": 7,
    "step": 4,
    "minimal": null
   },
   {
    "window": 3,
    "stride": 2,
    "cells": 2,
    "field": 15,
    "step": 8,
    "minimal": 9
   },
   {
    "window": 2,
    "stride": 2,
    "cells": 1,
    "field": 23,
    "step": 16,
    "minimal": 16
   }
  ],
  "bound": "4^8",
  "boundLayer": 1
 },
 {
  "name": "One 9×9 convolution, global pooling",
  "size": 16,
  "layers": [
   {
    "window": 9,
    "stride": 1,
    "cells": 16,
    "field": 9,
    "step": 1,
    "minimal": 9
   },
   {
    "window": 16,
    "stride": 16,
    "cells": 1,
    "field": 24,
    "step": 16,
    "minimal": 16
   }
  ],
  "bound": "4^128",
  "boundLayer": 1
 }
];

package sink

import _ "feedgate/worker/linux_only"

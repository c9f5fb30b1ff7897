package exec

import _ "feedgate/worker/linux_only"

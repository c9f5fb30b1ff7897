package stdout

import _ "feedgate/worker/linux_only"

package file

import _ "feedgate/worker/linux_only"

// `postfleet egress`: what the role needs from the process and the network, put together and ended in order.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

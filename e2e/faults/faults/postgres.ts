// The database is gone for a while.
import { between, type Fault } from '../fault.ts';

export const postgresDown: Fault = {
  name: 'postgres-down',
  what: 'PostgreSQL scaled to 0 for 10 to 40 s, then started again',
  parts: ['postgres', 'control'],
  mayRepeat: false,
  async inject(scene, random) {
    await scene.scale('statefulset/postfleet-postgres', 0);
    const undo = async () => void (await scene.scale('statefulset/postfleet-postgres', 1));
    return { detail: 'postfleet-postgres-0', holdSeconds: between(random, 10, 40), undo };
  },
};

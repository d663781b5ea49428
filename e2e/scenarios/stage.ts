// The stage that the scenarios share: small profile, one node. It stays up between files and is taken down by the last one.
import { openCluster } from '../cluster/index.ts';
import { raiseStage, type Stage } from '../stage/stage.ts';

const NAME = 'scenarios';

export const sharedStage = (): Promise<Stage> => raiseStage({ name: NAME, profile: 'small' });
export const takeDownStage = (): Promise<void> => openCluster(NAME).down();

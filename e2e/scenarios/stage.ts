// The stage that the scenarios share: small profile, one node. It stays up between files and is taken down by the last one.
import { openCluster } from '../cluster/index.ts';
import { Scene } from '../faults/scene.ts';
import { raiseStage, type Stage } from '../stage/stage.ts';

const NAME = 'scenarios';

/** @param specs what the samples say differently, by kind */
export const sharedStage = (specs?: Readonly<Record<string, object>>): Promise<Stage> =>
  raiseStage({ name: NAME, profile: 'small', ...(specs && { specs }) });
/** For what happens to it. */
export const sceneOf = (stage: Stage): Scene => new Scene(stage, NAME);
export const takeDownStage = (): Promise<void> => openCluster(NAME).down();

// Whose connections may still live when a shard gets another owner. An owner that is lost has its successor fence it, which can take as long as
// a connection lives. When the successor is lost within that time, the next one has both to fence: it is told of either.
import { LONGEST_CONNECTION_MS } from '../../mta/bus/connect.ts';
import type { ShardAssignment } from '../../mta/bus/snapshot.ts';

/** So many losses of one shard within thirteen minutes are remembered, the latest. */
const MOST = 8;

export type Formers = Pick<ShardAssignment, 'former' | 'lostBefore'>;

/**
 * @param why the owner gave the shard up (`Stated`: and has settled every fence that it owed), is lost (`Fenced`), or there was none
 * @param next UID of the owner to be
 */
export function formersAfter(
  { owner, former, lostBefore = [] }: Formers & Pick<ShardAssignment, 'owner'>,
  why: 'Unowned' | 'Stated' | 'Fenced',
  next: string,
  now: number,
): Formers {
  if (!owner) return { former, ...(lostBefore.length > 0 && { lostBefore }) };
  if (why === 'Stated') return { former: { uid: owner.uid, stated: true } };
  const before = former && !former.stated ? [{ uid: former.uid, at: former.at ?? now }] : [];
  const kept = [...lostBefore, ...before]
    .filter(({ uid, at }) => now - at < LONGEST_CONNECTION_MS && uid !== owner.uid && uid !== next)
    .slice(-MOST);
  return { former: { uid: owner.uid, stated: false, at: now }, ...(kept.length > 0 && { lostBefore: kept }) };
}

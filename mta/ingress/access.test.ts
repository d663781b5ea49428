import { newToken } from '../../gateway/token.ts';
import { Access, KEY_FRESH_MS, KEY_STALE_MS } from './access.ts';
import { FAILURE_WINDOW_MS, Failures, MOST_FAILURES } from './failures.ts';

const { id, token, hash } = newToken();
const key = { id, account: 'acme', hash };

function setting() {
  const state = { now: 0, down: false, revoked: false, asked: 0 };
  const access = new Access(
    async (asked) => {
      state.asked++;
      if (state.down) throw new Error('ECONNREFUSED');
      return asked === id && !state.revoked ? key : null;
    },
    () => state.now,
  );
  return { state, access };
}

test('a key is asked for once in ten seconds, and a revoked one is gone after that', async () => {
  const { state, access } = setting();
  await access.authenticate(token);
  state.revoked = true;
  state.now = KEY_FRESH_MS - 1;
  expect(await access.authenticate(token)).toEqual({ account: 'acme', keyId: id });
  expect(state.asked).toBe(1);
  state.now = KEY_FRESH_MS;
  await expect(access.authenticate(token)).rejects.toMatchObject({ reason: 'credentials' });
});

test('while PostgreSQL is away a known key works for five minutes, an unknown one cannot be judged', async () => {
  const { state, access } = setting();
  await access.authenticate(token);
  state.down = true;
  state.now = KEY_STALE_MS - 1;
  expect((await access.authenticate(token)).account).toBe('acme');
  await expect(access.authenticate(newToken().token)).rejects.toMatchObject({ reason: 'authUnavailable' });
  state.now = KEY_STALE_MS;
  await expect(access.authenticate(token)).rejects.toMatchObject({ reason: 'authUnavailable' });
});

test('the wrong secret with a known id is refused, and so is another user name', async () => {
  const { access } = setting();
  const wrong = token.slice(0, -1) + (token.endsWith('0') ? '1' : '0');
  await expect(access.authenticate(wrong)).rejects.toMatchObject({ reason: 'credentials' });
  await expect(access.login('other', token)).rejects.toMatchObject({ reason: 'credentials' });
  expect((await access.login('acme', token)).keyId).toBe(id);
  expect((await access.login(id, token)).keyId).toBe(id);
});

test('twenty failures within the window block an address, and only it, until the window is over', () => {
  let now = 0;
  const failures = new Failures(() => now);
  for (let i = 0; i < MOST_FAILURES; i++) {
    expect(failures.blocked('192.0.2.1')).toBe(false);
    failures.note('192.0.2.1');
  }
  expect(failures.blocked('192.0.2.1')).toBe(true);
  expect(failures.blocked('192.0.2.2')).toBe(false);
  now = FAILURE_WINDOW_MS;
  expect(failures.blocked('192.0.2.1')).toBe(false);
});

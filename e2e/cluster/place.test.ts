import { placeId, placeOf } from './place.ts';

test('checkouts and names have different ids, and the same ones always the same', () => {
  const ids = [placeId('/a', ''), placeId('/b', ''), placeId('/a', 'other'), placeId('/a/', 'other')];
  expect(new Set(ids).size).toBe(4);
  expect(placeId('/a', '')).toBe(ids[0]);
});

test('every name fits: links have at most 15 characters', () => {
  const place = placeOf('', '/checkout', '/clusters');
  expect(place.hostLink.length).toBeLessThanOrEqual(15);
  expect(place.folder).toBe(`/clusters/${place.id}`);
  expect([place.control, place.internet].every((name) => name.startsWith(place.prefix))).toBe(true);
});

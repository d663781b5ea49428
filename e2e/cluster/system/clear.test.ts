import { mountsBelow } from './clear.ts';

test('mounts of one folder, innermost first, none of a neighbour with a longer name', () => {
  const mounts = [
    'proc /proc proc rw 0 0',
    'overlay /c/ab12/node1/run overlay rw 0 0',
    'tmpfs /c/ab12/node1/run/a\\040b tmpfs rw 0 0',
    'tmpfs /c/ab123/x tmpfs rw 0 0',
    '',
  ].join('\n');
  expect(mountsBelow(mounts, '/c/ab12')).toEqual(['/c/ab12/node1/run/a b', '/c/ab12/node1/run']);
});

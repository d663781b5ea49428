import { homesOf, onFirstNode } from './nodes.ts';

test('an address is on its node, on the segment, or on the first node', () => {
  expect(homesOf(['a', 'b', 'c'], { b: 2, c: 'segment' })).toEqual({
    sendingAddresses: [
      { address: 'a', node: 1 },
      { address: 'b', node: 2 },
    ],
    movableAddresses: ['c'],
  });
});

test('other nodes take nothing meanwhile, and pods again afterwards, also when the work failed', async () => {
  const asked: string[] = [];
  const kubectl = async (args: readonly string[]) => {
    asked.push(args.join(' '));
    return '';
  };
  const work = async () => {
    asked.push('work');
    throw new Error('no');
  };
  await expect(onFirstNode({ kubectl }, 2, work)).rejects.toThrow('no');
  expect(asked).toEqual(['uncordon node1', 'cordon node2', 'work', 'uncordon node2']);
});

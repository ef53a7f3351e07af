// @ts-check
/** Lessons to begin with: what a person may want from an own home. */

/** @typedef {{ name: string, say: string[], do: string }} Sample */

/** @type {readonly Sample[]} */
export const SAMPLES = [
  {
    name: 'movie time',
    say: ['movie time', "let's watch a movie", 'start the movie night', 'we are going to watch a film', 'make it cozy for a movie', 'time for a film', 'get the room ready for the movie', 'film night please'],
    do: '{"intent":"multi","steps":[{"intent":"light_set","room":"living room","level":10},{"intent":"blinds_close","room":"living room"}]}',
  },
  {
    name: 'wifi password',
    say: ['what is the wifi password', 'how do i get into the wifi', 'tell me the wifi password', 'our guests need the wifi', "what's the password of the guest network", 'wifi password please', 'i need the internet password', 'which wifi can i use'],
    do: 'The guest wifi is called birdhouse, its password is bluebird42.',
  },
  {
    name: 'feed a pet',
    say: ['feed bella => {"intent":"feed","pet":"bella"}', 'give max some food => {"intent":"feed","pet":"max"}', 'luna is hungry => {"intent":"feed","pet":"luna"}', 'time to feed rocky => {"intent":"feed","pet":"rocky"}',
      'can you feed milo => {"intent":"feed","pet":"milo"}', 'food for daisy please => {"intent":"feed","pet":"daisy"}', 'fill the bowl of simba => {"intent":"feed","pet":"simba"}', 'oscar needs food => {"intent":"feed","pet":"oscar"}'],
    do: '',
  },
];

// @ts-check
/**
 * What can stand in a slot. Every kind has values for training and values held out: words by list, numbers by a hash of the value. Words that the model has
 * to copy come partly from made-up syllables, so that it learns to copy and not to remember.
 */
/** @typedef {import('./template.mjs').Random} Random */
/** @typedef {import('./template.mjs').Slot} Slot */

const split = (/** @type {string} */ text) => text.trim().split(/\s*,\s*/);
/** Words by kind: those of training, those held out. */
export const WORDS = {
  room: [split('kitchen, living room, bedroom, bathroom, hallway, office, garage, dining room, kids room, guest room, basement, attic, porch, garden, balcony, laundry room, study, nursery, hall, staircase, workshop, entrance, terrace, pantry, music room, cellar, family room, game room, back yard, corridor, loft, spare room, toilet, patio'),
    split('den, sunroom, library, playroom, shed, conservatory, mud room, lounge, wine cellar')],
  device: [split('fan, heater, kettle, coffee machine, tv, dishwasher, washing machine, dryer, humidifier, toaster, air purifier, oven, radio, speaker, projector, sprinkler, fountain, vacuum, robot vacuum, christmas tree, aquarium, electric blanket, dehumidifier, printer, router, ceiling fan, pool pump, doorbell, air conditioning, ac, desk lamp, floor lamp, salt lamp, night light, fairy lights, pressure cooker, ice maker, cd player, patio heater'),
    split('rice cooker, hot tub, slow cooker, grill, lava lamp, bread maker, space heater, record player')],
  door: [split('front door, back door, garage door, side door, cellar door, patio door, gate, main door, balcony door, kitchen door, garden gate'), split('basement door, porch door, driveway gate, shed door')],
  color: [split('red, blue, green, yellow, orange, purple, pink, white, warm white, cold white, violet, cyan, gold, lime, amber, rose, navy, mint'), split('turquoise, magenta, teal, peach, lavender, salmon')],
  item: [split('milk, eggs, bread, butter, cheese, apples, bananas, oranges, rice, pasta, tomatoes, potatoes, onions, garlic, carrots, chicken, fish, beef, sugar, salt, pepper, flour, olive oil, coffee, tea, juice, water, beer, wine, yogurt, cream, chocolate, cookies, cereal, honey, jam, lettuce, cucumbers, mushrooms, beans, lemons, strawberries, grapes, soap, shampoo, toothpaste, toilet paper, paper towels, batteries, light bulbs, dog food, cat litter, diapers, napkins, candles, tape, envelopes, stamps, socks, sunscreen, aspirin, vitamins, peanut butter, ice cream, frozen peas, orange juice, baking powder, oat milk, green tea, red onions, whole wheat bread, tuna, salmon, ham, bacon, nuts, raisins, tofu, spinach, broccoli, corn, ginger, vanilla, cinnamon, mustard, ketchup, vinegar, noodles, tortillas, chips, crackers, soda'),
    split('avocados, maple syrup, blueberries, celery, basil, goat cheese, almond milk, dish soap, razor blades, brown sugar, zucchini, pears, coconut water, sponges, birthday card, hummus, radishes, trash bags, pineapple, eggplant')],
  list: [split('shopping, grocery, to do, packing, wish, party, christmas, hardware store, reading, birthday, cleaning, weekend, camping, gift, errands, movie'), split('pharmacy, holiday, moving, school, bucket')],
  task: [split('call mom, take out the trash, water the plants, feed the cat, pay the rent, buy flowers, pick up the kids, take my medicine, walk the dog, check the oven, send the report, book a table, charge the car, clean the windows, change the bed sheets, do the laundry, renew my passport, return the books, call the plumber, stretch, drink water, lock the shed, empty the dishwasher, write a letter, order more coffee, call the bank, wash the car, fix the bike, reply to anna, prepare the slides, bring the umbrella, cancel the subscription, back up my photos, buy tickets, get gas, vacuum the stairs'),
    split('feed the fish, call the dentist, take the cake out, move the car, defrost the chicken, mow the lawn, sign the contract, iron my shirt, pick up the parcel, clean the fridge')],
  event: [split('dentist, meeting, lunch, dinner, yoga class, team meeting, doctor appointment, haircut, piano lesson, birthday party, parents evening, football practice, job interview, book club, date night, project review, concert, swimming lesson, vet appointment, breakfast, coffee, phone call, conference, workshop, board meeting, car inspection, game night, barbecue, choir practice, driving lesson, wedding, picnic, training, stand up, family dinner, brunch'),
    split('eye exam, poker night, dance class, house viewing, chess club, physio, guitar lesson, baby shower, tax appointment')],
  song: [split('thunder road, yellow, blue moon, dancing queen, river, hallelujah, summer rain, golden hour, the long way home, midnight train, paper planes, silver lining, quiet night, waterfall, stardust, open sky, city of lights, moonlight sonata, the four seasons, clair de lune, walking on air, homeward, northern star, falling leaves, little bird, ocean drive, wildflower, new morning, heartbeat, echoes, lost in time, september wind'),
    split('sleeping giants, glass houses, amber sun, the last train, violet hill road, winter song, paper moon, hidden valley')],
  genre: [split('jazz, rock, classical music, pop, hip hop, blues, country, folk music, reggae, techno, ambient music, lofi, soul, opera, piano music, christmas songs, party music, workout music, children songs, movie soundtracks, news radio, white noise, rain sounds'), split('funk, salsa, baroque music, heavy metal, birdsong, swing')],
  artist: [split('the beatles, queen, mozart, bach, abba, adele, miles davis, nina simone, coldplay, radiohead, bob dylan, taylor swift, johnny cash, ella fitzgerald, pink floyd, vivaldi, chopin, madonna, prince, david bowie, the rolling stones, daft punk, elton john, norah jones'), split('debussy, fleetwood mac, louis armstrong, bjork, the cure, muse, john coltrane')],
  scene: [split('good night, good morning, party, reading, dinner, away, relax, romantic, cleaning, work, holiday, sleep, cooking, gaming, wake up, bath, guests, focus'), split('sunset, breakfast, yoga, siesta, homework')],
  name: [split('anna, ben, carla, david, emma, felix, grace, henry, ida, jack, kate, leo, maria, noah, olivia, paul, quinn, rosa, sam, tina, uma, victor, wendy, xavier, yara, zoe, tom, lisa, mark, sarah, peter, julia, alex, nina, oscar, laura, max, eva, lucas, mia, john, jane, mike, susan, chris, amy, daniel, sophie, robert, helen, james, linda, karl, petra, ahmed, fatima, li, chen, ravi, priya, diego, lucia, ivan, olga, kenji, yuki, omar, leila, mom, dad, grandma, grandpa'),
    split('arthur, bella, cedric, dora, elias, freya, gustav, hanna, ismael, joy, kofi, luna, mateo, nora, otto, pia, rafael, stella, theo, vera')],
  place: [split('berlin, london, paris, new york, tokyo, madrid, rome, vienna, oslo, boston, chicago, sydney, dublin, prague, zurich, munich, lisbon, athens, cairo, delhi'), split('hamburg, seattle, warsaw, nairobi, lima, toronto')],
};

const ONES = split('zero, one, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, thirteen, fourteen, fifteen, sixteen, seventeen, eighteen, nineteen');
const TENS = split('x, x, twenty, thirty, forty, fifty, sixty, seventy, eighty, ninety');
const DAYS = split('monday, tuesday, wednesday, thursday, friday, saturday, sunday');
const MONTHS = split('january, february, march, april, may, june, july, august, september, october, november, december');

/** 0 to 999 in words. @param {number} n @returns {string} */
export function inWords(n) {
  if (n < 20) return ONES[n];
  if (n < 100) return TENS[Math.floor(n / 10)] + (n % 10 ? ` ${ONES[n % 10]}` : '');
  return `${n < 200 ? 'one' : ONES[Math.floor(n / 100)]} hundred${n % 100 ? ` ${inWords(n % 100)}` : ''}`;
}
const ordinal = (/** @type {number} */ n) => n + (n % 100 > 10 && n % 100 < 14 ? 'th' : ['th', 'st', 'nd', 'rd'][n % 10] ?? 'th');

/** About one value in ten is held out. @param {string} value */
export function isHeldOut(value) {
  let h = 2166136261;
  for (const c of value) h = Math.imul(h ^ c.charCodeAt(0), 16777619);
  return ((h ^ (h >>> 13)) >>> 0) % 10 === 0;
}

/** A word that nobody knows, of syllables, such as "brelo". @param {Random} r */
function syllables(r) {
  const onset = split('b, br, c, cl, d, dr, f, fl, g, gr, h, j, k, l, m, n, p, pl, r, s, sh, sl, st, t, tr, v, w, z, th, ch');
  const vowel = split('a, e, i, o, u, a, e, i, o, u, ai, ee, oo, ou'), coda = ['', '', '', 'n', 'r', 's', 'l', 'm', 'k', 'x', 't', 'nd', 'rt', 'sk'];
  let word = '';
  for (let i = 1 + r.below(3); i > 0; i--) word += r.pick(onset) + r.pick(vowel) + (i === 1 ? r.pick(coda) : '');
  return word;
}
/** Words that a home may hear of, beside those of the lists. */
const COMMON = split(`acorn, airport, amber, anchor, angel, apron, arrow, atlas, autumn, badge, bakery, ball, band, bank, barn, basket, beach, bear, bench, big, bird, board, boat, bone, book, bottle, bow, bowl, box, branch, bridge, broom, brush, bubble, bucket, butler, button, cabin, cable, cactus, cage, camera, canal, canoe, captain, card, carpet, castle, cat, chain, chair, chalk, cherry, chest, circle, clay, climbing, clock, cloud, clover, coat, coin, collar, comet, compass, cooker, copper, copy, cord, cork, corn, cotton, couch, court, cradle, crane, crown, cup, cupboard, curry, curtain, dance, dawn, desk, diamond, dice, dinosaur, doll, dolphin, dragon, drawer, dream, dress, drill, drum, dust, eagle, earth, easter, echo, elbow, engine, evening, express, fabric, factory, farm, feather, fence, ferry, fiddle, field, fig, filter, finger, fire, flag, flash, flat, flood, floor, flower, flute, fog, forest, fork, fox, frame, freezer, fresh, frog, fruit, funny, fur, giant, glass, glitter, globe, glove, glue, goat, goose, grandfather, grass, gravel, greenhouse, grey, grinder, guitar, gutter, hammer, hand, happy, harbour, harp, hat, hawk, hay, head, heart, hedge, helmet, hen, herb, hero, high, hill, hockey, hook, horn, horse, hospital, hotel, ice, ink, iron, island, ivory, jacket, jar, jet, jigsaw, judo, jungle, kayak, key, king, kite, kiwi, knee, knife, knitting, lace, ladder, lady, lake, lamb, lamp, land, lantern, last, lava, leaf, leather, lemon, letter, lever, lid, light, lily, lion, little, log, long, lucky, machine, magic, magnet, maker, mango, map, maple, marble, market, mask, math, meadow, medal, melon, metal, middle, midnight, mill, mirror, mixer, monkey, monster, moon, morning, moss, motor, mountain, mouse, museum, nail, neighbour, nest, net, new, night, north, nose, number, ocean, office, old, olive, onion, orchard, organ, owl, paint, palace, panda, paper, parade, park, parrot, peach, peanut, pearl, pen, pencil, pepper, picture, pie, pig, pillow, pilot, pine, pink, pipe, pirate, pizza, plane, planet, plant, plate, player, plum, pocket, poem, pond, pony, poppy, port, post, pot, powder, press, princess, puddle, pump, puppet, quilt, rabbit, race, rack, rail, rainbow, ranch, recipe, record, ribbon, ring, river, road, robin, rocket, roof, root, rope, round, rubber, ruler, running, rust, sack, saddle, sail, sand, saw, scarf, school, science, screen, sea, season, secret, seed, shadow, shark, sheep, shell, shelf, ship, shirt, shoe, shop, silk, silver, singing, sister, skate, sky, sled, slide, slow, small, snake, snow, sofa, soft, soup, south, space, spider, spoon, spring, square, squirrel, stage, star, station, steam, steel, stone, storm, story, straw, street, string, sugar, suit, summer, sun, sunny, swan, sweater, sword, table, tail, tango, tank, tax, taxi, teacher, temple, tennis, tent, theatre, thunder, ticket, tide, tiger, tiny, toast, tool, torch, tower, town, toy, track, tractor, train, tree, trick, truck, trumpet, tulip, tunnel, turtle, twin, uncle, upper, van, velvet, village, violin, waffle, wagon, wall, walnut, warm, watch, wave, wax, west, whale, wheat, wheel, whistle, wild, wind, window, wing, winter, wolf, wood, wool, yard, young, zebra`);
/** The single words of all training lists, and more. */
const KNOWN = [...new Set([...Object.values(WORDS).flatMap(([train]) => train.flatMap((value) => value.split(' '))), ...COMMON])].filter((w) => w.length > 2);

/**
 * A word that means nothing where it stands: of syllables, of two halves of known words, of two known words as one, one of some other kind, or one whose
 * beginning comes again ("toronto"): who copies by looking for what came before must not go round in circles there. @param {Random} r
 */
function madeUp(r) {
  const way = r.below(11), a = r.pick(KNOWN), b = r.pick(KNOWN);
  if (way === 10) { const first = a.slice(0, 2 + r.below(2)); return first + (r.chance(0.5) ? syllables(r).slice(0, 3) : '') + first + (r.chance(0.4) ? syllables(r).slice(-2) : ''); }
  return way < 3 ? syllables(r) : way < 5 ? a.slice(0, 2 + r.below(a.length - 2)) + b.slice(1 + r.below(b.length - 2)) : way < 6 ? a + b : a;
}

const MACHINES = split('lamp, machine, maker, player, cooker, heater, fan, pump, station, screen, charger, iron, blanket, camera, dryer, system, monitor, door opener, fridge, timer, clock, printer, tub, oven, grill');
const GOODS = split('milk, cheese, soap, sugar, syrup, bags, bag, cards, water, blades, tea, beans, bread, cake, sauce, paper, oil, butter, seeds, powder, juice, cream, pie, leaves, salad, spray, cloths, chips, rolls, flakes');

/**
 * Slots by kind. `held`: values held out of training only; otherwise values of training only.
 * @param {Random} r @param {boolean} held @returns {(kind: string) => Slot}
 */
export function slots(r, held) {
  const word = (/** @type {keyof typeof WORDS} */ kind) => r.pick(WORDS[kind][held ? 1 : 0]);
  const copied = (/** @type {string} */ text) => ({ text, value: text, open: true });
  /** A number whose value is in the right part. @template T @param {() => T} make @param {(v: T) => string} key */
  const drawn = (make, key) => {
    for (let i = 0; i < 400; i++) { const v = make(); if (isHeldOut(key(v)) === held) return v; }
    throw new Error('no value in this part');
  };
  const number = (/** @type {number} */ n, words = 0.5) => (r.chance(words) ? inWords(n) : `${n}`);

  /** Some words begin like the one before, so that a beginning alone does not tell what to copy. */
  const phrase = (/** @type {number} */ n) => {
    const words = [madeUp(r)];
    while (words.length < n) words.push(r.chance(0.15) ? words[words.length - 1].slice(0, 2 + r.below(3)) + syllables(r) : madeUp(r));
    return words.join(' ');
  };
  /** Not a value that is held out. @param {keyof typeof WORDS} kind @param {() => string} make */
  const unlike = (kind, make) => { for (;;) { const text = make(); if (!WORDS[kind][1].includes(text)) return text; } };
  /** Words to copy: from the list, or made up as often, so that copying is learned and not the list. @param {keyof typeof WORDS} kind @param {number} [invented] @param {() => string} [make] */
  const open = (kind, invented = 0.55, make = () => phrase(1 + r.below(2))) => copied(!held && r.chance(invented) ? unlike(kind, make) : word(kind));
  /** A made-up word before one that tells what it is. @param {string[]} what */
  const named = (what) => `${madeUp(r)} ${r.pick(what)}`;

  /** Made-up words, in part before one that tells what it is: that one may be the word of another intent ("desk lamp" is no room). @param {string[]} what */
  const things = (what) => () => (r.chance(0.4) ? named(what) : phrase(1 + r.below(2)));

  function room() {
    if (r.chance(0.1)) { const name = held || r.chance(0.5) ? word('name') : madeUp(r); return copied(`${name}'s room`); }
    return !held && r.chance(0.5) ? copied(unlike('room', () => (r.chance(0.4) ? named(['room', 'room', 'hall', 'corner', 'house']) : phrase(1 + r.below(2))))) : { text: word('room'), value: undefined };
  }
  function door() {
    const text = !held && r.chance(0.5) ? unlike('door', () => named(['door', 'door', 'gate'])) : word('door');
    return { text, value: text };
  }
  const task = () => `${r.pick(['call', 'buy', 'fix', 'check', 'pick up', 'take out', 'clean', 'feed', 'wash', 'bring', 'book', 'cancel', 'pay', 'send', 'move', 'return', 'write to', 'look at', 'get', 'find', 'finish', 'start', 'turn'])} ${r.pick(['the ', 'the ', 'my ', 'a ', '', 'our '])}${phrase(r.pick([1, 1, 1, 2, 3]))}`;
  function percent() {
    if (!held && r.chance(0.15)) { const [text, value] = r.pick(/** @type {[string, number][]} */ ([['half', 50], ['full', 100], ['maximum', 100], ['minimum', 1], ['a quarter', 25], ['three quarters', 75]])); return { text, value }; }
    const n = drawn(() => (r.chance(0.5) ? 5 * (1 + r.below(19)) : 2 + r.below(98)), (v) => `percent ${v}`); // 1 and 100 have words of their own, in training
    return { text: `${number(n)}${r.pick([' percent', ' percent', '%', ''])}`.replace(/([a-z])%/, '$1 percent'), value: n };
  }
  function degrees() {
    const n = drawn(() => 10 + r.below(41) / 2, (v) => `degrees ${v}`);
    const text = n % 1 ? r.pick([`${n}`, `${inWords(n - 0.5)} and a half`, `${inWords(n - 0.5)} point five`]) : number(n);
    return { text: `${text}${r.pick([' degrees', ' degrees', '', ' degrees celsius'])}`, value: n };
  }
  function duration() {
    const unit = { s: [' seconds', ' secs', ' second'], m: [' minutes', ' minutes', ' mins', ' min'], h: [' hours', ' hrs', ' hour'] };
    const say = (/** @type {number} */ n, /** @type {'s' | 'm' | 'h'} */ u) => (n === 1 ? r.pick(u === 'h' ? ['an hour', 'one hour', '1 hour'] : u === 'm' ? ['a minute', 'one minute', '1 minute'] : ['one second', '1 second']) : number(n) + r.pick(unit[u].slice(0, -1)));
    const kind = r.below(10);
    if (kind < 5) { const n = drawn(() => (r.chance(0.6) ? 5 * (1 + r.below(12)) : 1 + r.below(90)), (v) => `${v}m`); return { text: say(n, 'm'), value: `${n}m` }; }
    if (kind < 6) { const n = drawn(() => 1 + r.below(99), (v) => `${v}s`); return { text: say(n, 's'), value: `${n}s` }; }
    if (kind < 7) { const n = drawn(() => 1 + r.below(24), (v) => `${v}h`); return { text: say(n, 'h'), value: `${n}h` }; }
    if (kind < 8 && !held) { const [text, value] = r.pick([['half an hour', '30m'], ['a quarter of an hour', '15m'], ['an hour and a half', '1h30m'], ['one and a half hours', '1h30m'], ['three quarters of an hour', '45m'], ['half a minute', '30s']]); return { text, value }; }
    const [h, m] = drawn(() => [1 + r.below(6), r.chance(0.7) ? 5 * (1 + r.below(11)) : 1 + r.below(59)], (v) => `${v[0]}h${v[1]}m`);
    if (m === 30 && h > 1 && r.chance(0.4)) return { text: `${inWords(h)} and a half hours`, value: `${h}h30m` };
    return { text: `${say(h, 'h')}${r.pick([' and ', ' ', ' '])}${say(m, 'm')}`, value: `${h}h${m}m` };
  }
  function time() {
    if (!held && r.chance(0.06)) return r.chance(0.5) ? { text: 'noon', value: '12:00' } : { text: 'midnight', value: '00:00' };
    const [h, m] = drawn(() => [held ? 1 + r.below(11) + 12 * r.below(2) : r.below(24), r.chance(0.45) ? 0 : r.chance(0.6) ? r.pick([15, 30, 45]) : 5 * r.below(12) + (r.chance(0.3) ? r.below(5) : 0)], (v) => `time ${v[0]}:${v[1]}`);
    const value = `${`${h}`.padStart(2, '0')}:${`${m}`.padStart(2, '0')}`, h12 = h % 12 || 12, minute = `${m}`.padStart(2, '0');
    const spoken = m === 0 ? inWords(h12) : m < 10 ? `${inWords(h12)} oh ${inWords(m)}` : `${inWords(h12)} ${inWords(m)}`;
    const half = h < 12 ? r.pick([' am', ' a.m.', ' in the morning', 'am']) : h < 18 ? r.pick([' pm', ' p.m.', ' in the afternoon', 'pm']) : r.pick([' pm', ' p.m.', ' in the evening', 'pm']);
    if (h === 0 || h === 12) return { text: `${h}:${minute}`.replace(/^0:/, '00:'), value };
    const style = r.below(7);
    if (style === 0) return { text: `${h}:${minute}`, value };
    if (style === 1 && m === 0 && h < 12) return { text: r.chance(0.5) ? inWords(h) : `${h}${r.pick(['', " o'clock"])}`, value };
    if (style === 2 && m === 30) return { text: `half past ${number(h12)}${half.replace(/^am|^pm/, ' $&')}`, value };
    if (style === 3 && m === 15) return { text: `quarter past ${number(h12)}${half.replace(/^am|^pm/, ' $&')}`, value };
    if (style === 4 && m === 45) return { text: `quarter to ${number(h12 % 12 + 1)}${half.replace(/^am|^pm/, ' $&')}`, value };
    if (style === 4 && m > 30 && m % 5 === 0) return { text: `${number(60 - m)} to ${number(h12 % 12 + 1)}${half.replace(/^am|^pm/, ' $&')}`, value };
    if (style === 5 && m % 5 === 0 && m > 0 && m < 30) return { text: `${number(m)} past ${number(h12)}${half.replace(/^am|^pm/, ' $&')}`, value };
    if (style === 6) return { text: spoken + half.replace(/^am|^pm/, ' $&'), value };
    return { text: (m === 0 && r.chance(0.6) ? `${h12}` : `${h12}:${minute}`) + half, value };
  }
  function day() {
    const kind = r.below(10);
    if (kind < 2) return { text: 'today', value: 'today' };
    if (kind < 4) return { text: 'tomorrow', value: 'tomorrow' };
    if (kind < 7) { const d = r.pick(DAYS); return { text: `on ${d}`, value: d }; }
    if (kind < 8) { const d = r.pick(DAYS); return { text: `next ${d}`, value: `next ${d}` }; }
    const [m, d] = drawn(() => [r.below(12), 1 + r.below(28)], (v) => `day ${v[0]}/${v[1]}`), value = `${MONTHS[m]} ${d}`;
    return { text: r.pick([`on ${value}`, `on ${MONTHS[m]} ${ordinal(d)}`, `on the ${ordinal(d)} of ${MONTHS[m]}`]), value };
  }
  function items() {
    const list = [...new Set(Array.from({ length: r.pick([1, 1, 1, 2, 2, 3]) }, () => /** @type {string} */ (open('item', 0.55, things(GOODS)).value)))];
    const text = list.length === 1 ? list[0] : `${list.slice(0, -1).join(', ')}${r.pick([' and ', ' and ', ', and '])}${list.at(-1)}`;
    return { text, value: list, open: true };
  }
  function event() {
    const what = open('event', 0.5, () => (r.chance(0.35) ? named(['meeting', 'class', 'appointment', 'party', 'night', 'lesson', 'call', 'club', 'training', 'visit', 'review', 'shower', 'exam', 'day', 'tour', 'test', 'show', 'game', 'talk']) : phrase(1 + r.below(2))));
    return r.chance(0.35) ? copied(`${what.text} with ${r.chance(0.6) || held ? word('name') : madeUp(r)}`) : what;
  }
  /** @type {Record<string, () => Slot>} */
  const kinds = {
    room: () => { const s = room(); return { ...s, value: s.value ?? s.text }; }, percent, degrees, duration, time, day, items, event,
    device: () => open('device', 0.55, things(MACHINES)), door, color: () => open('color', 0.5), list: () => open('list', 0.5), task: () => open('task', 0.5, task), song: () => open('song', 0.5, () => phrase(1 + r.below(4))),
    artist: () => open('artist', 0.5, () => phrase(1 + r.below(3))), genre: () => open('genre', 0.5), scene: () => open('scene'), label: () => (r.chance(0.5) ? open('item', 0.55, things(GOODS)) : open('name')), place: () => open('place'),
    few: () => { const n = r.pick(held ? [4, 7] : [1, 2, 3, 5, 6, 8, 9]); return { text: `${number(n)} degree${n > 1 ? 's' : ''}`, value: n }; },
    volume: () => { const n = drawn(() => r.below(101), (v) => `volume ${v}`); return { text: `${number(n)}${r.pick(['', '', ' percent'])}`, value: n }; },
  };
  return (kind) => {
    const make = kinds[kind];
    if (!make) throw new Error(`no slot is called ${kind}`);
    return make();
  };
}

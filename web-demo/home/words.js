// @ts-check
/** Words of what people type. */

/** In small letters, without marks. @param {string} text @returns {string[]} */
export const wordsIn = (text) => text.toLowerCase().match(/[\p{L}\p{N}][\p{L}\p{N}'’-]*/gu) ?? [];

/** Whether a word is another one, or that with one slip of the keyboard: a letter more, less, wrong or swapped with its neighbour. @param {string} word @param {string} meant */
export function isNearly(word, meant) {
  if (word === meant) return true;
  if (word.length < 3 || meant.length < 4 || Math.abs(word.length - meant.length) > 1) return false;
  let i = 0;
  while (i < word.length && word[i] === meant[i]) i++;
  const rest = word.slice(i), other = meant.slice(i);
  return rest.slice(1) === other || rest === other.slice(1) || rest.slice(1) === other.slice(1) || (rest[0] === other[1] && rest[1] === other[0] && rest.slice(2) === other.slice(2));
}

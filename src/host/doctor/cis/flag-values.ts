/** What a flag's value has to be; undefined where the flag is not given. */
export const isFile = (value: string | undefined) => value?.startsWith('/') === true;
export const includes = (word: string) => (value: string | undefined) => value?.split(',').includes(word) === true;
export const lacks = (word: string) => (value: string | undefined) => value?.split(',').includes(word) !== true;
export const atLeast = (least: number) => (value: string | undefined) => Number(value ?? 0) >= least;
export const notFalse = (value: string | undefined) => value !== 'false';
export const isFalse = (value: string | undefined) => value === 'false';

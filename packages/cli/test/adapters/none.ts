// No adapter: it exports no platform().
export const nothing = undefined;

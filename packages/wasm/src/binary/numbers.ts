/** Numbers of the sections in the binary format. */
export const SectionId = {
  custom: 0,
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  memory: 5,
  global: 6,
  export: 7,
  start: 8,
  element: 9,
  code: 10,
  data: 11,
  dataCount: 12,
  tag: 13,
} as const;

/** Numbers of what can be imported and exported. */
export const ExternId = { function: 0, table: 1, memory: 2, global: 3, tag: 4 } as const;

/** The variable in a child's environment that names its owners; daemons inherit it wherever they go. */
export const MARK = "KEELSON_OWNER";

/** A process that can never be mistaken for another: pid and start time, in one pid namespace. */
export interface Host {
  /** Of the pid namespace: a pid means nothing outside of its own. */
  readonly namespace: string;
  readonly pid: number;
  readonly start: number;
}

/** One entry of a mark: which host started it, and as which of its children. */
export interface Owner extends Host {
  readonly token: string;
}

/** `namespace:pid:start:token` */
export function formatOwner({ namespace, pid, start, token }: Owner): string {
  return `${namespace}:${pid}:${start}:${token}`;
}

/** The owners in a mark, outermost first: a host that is itself a child of a host adds its own behind the inherited one. */
export function parseMark(mark: string): Owner[] {
  return mark.split(" ").flatMap((text) => {
    const [namespace = "", pid, start, token = ""] = text.split(":");
    const owner = { namespace, pid: Number(pid), start: Number(start), token };
    const whole =
      namespace !== "" && token !== "" && Number.isInteger(owner.pid) && Number.isInteger(owner.start);
    return whole ? [owner] : [];
  });
}

/** The mark of a child: what its host inherited, and `owner`. The oldest go when it grows beyond eight generations of hosts. */
export function extendMark(inherited: string, owner: Owner): string {
  return [...parseMark(inherited).slice(-7), owner].map(formatOwner).join(" ");
}

export class BlindTest {
  open = false;
  constructor(page) {}
  refresh() {}
  start() {}
}

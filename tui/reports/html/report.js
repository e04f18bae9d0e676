// One sound at a time; the page reads and plays without this, too.
document.addEventListener(
  "play",
  (event) => {
    for (const sound of document.querySelectorAll("audio")) {
      if (sound !== event.target) sound.pause();
    }
  },
  true,
);

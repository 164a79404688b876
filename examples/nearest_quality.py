"""A system in one file: the mean rating of the nearest training stimuli in audio and video quality."""

import numpy as np


class NearestQuality:
    name = "nearest-quality"
    label = "three nearest in Q_a and VMAF"

    def fit(self, data, contents, seed):
        rows = data.pairs_of(contents)
        self.points, self.mos = self.place(data, rows), data.mos[rows]
        return self

    def predict(self, data, rows):
        distance = np.linalg.norm(self.place(data, rows)[:, None] - self.points[None], axis=2)
        return self.mos[np.argsort(distance, axis=1)[:, :3]].mean(axis=1)

    def place(self, data, rows):
        audio, video = data.pairs[rows].T
        return np.column_stack([data.audio(["audio_mos"])[audio, 0] / 4, data.video(["vmaf"])[video, 0] / 100])

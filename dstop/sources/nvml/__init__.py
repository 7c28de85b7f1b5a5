"""NVIDIA's driver as a source: everything that dstop asks NVML, and how it survives the answers.

`source` is the face; `binding` the one place where the driver is called; `lanes` the threads; `card` one
GPU; `classes`, `lists`, `use`, `mig`, `events`, `gpm`, `links` what is read of it; `absence` what to say
when there is none.
"""

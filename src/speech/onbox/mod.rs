//! Engines that run on the box itself, below the priority of the media clock.
//! Nothing here opens a network connection at run time.

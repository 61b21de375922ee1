// Package deploy holds no code: its tests check the systemd units and the
// package recipe in this folder.
package deploy

// Package pagetest opens the page of edgectl report --html and the page of a hub
// in a browser: it clicks, types, zooms, prints, and has axe-core judge them. It is
// a module of its own so that the browser's driver stays out of the product's
// modules. Run with make page.
package pagetest

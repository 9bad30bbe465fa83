/** The version of this Edgeward; a test holds it to package.json. */
export const EDGEWARD_VERSION = '0.1.0';
